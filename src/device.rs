//! The device that the nets run on: `auto | cpu | cuda[:N] | metal`.

use crate::error::Kind;
use anyhow::{Context, Result, bail};
use candle_core::Device;
use sysinfo::System;

/// What [`open`] takes, beside `cuda:N`.
pub const NAMES: [&str; 4] = ["auto", "cpu", "cuda", "metal"];

/// Opens the device named `choice`; `auto` takes CUDA or Metal where this build and machine have one, else the CPU.
pub fn open(choice: &str) -> Result<Device> {
    let (name, index) = match choice.split_once(':') {
        Some((name, index)) => {
            let index = index.parse().with_context(|| Kind::Usage.error(format!("--device {choice}: not a number")))?;
            (name, index)
        }
        None => (choice, 0),
    };
    match name {
        "auto" => Ok(automatic()),
        "cpu" => Ok(Device::Cpu),
        "cuda" => Device::new_cuda(index).with_context(|| unavailable(choice, "cuda")),
        "metal" => Device::new_metal(index).with_context(|| unavailable(choice, "metal")),
        _ => bail!(Kind::Usage.error(format!("--device {choice}: expected auto, cpu, cuda[:N] or metal"))),
    }
}

fn automatic() -> Device {
    let cuda = cfg!(feature = "cuda").then(|| Device::new_cuda(0).ok()).flatten();
    let metal = || cfg!(feature = "metal").then(|| Device::new_metal(0).ok()).flatten();
    cuda.or_else(metal).unwrap_or(Device::Cpu)
}

fn unavailable(choice: &str, feature: &str) -> crate::error::Error {
    Kind::Usage.error(format!(
        "--device {choice} is not available: it needs such a device and a build with `--features {feature}`; \
         `--device cpu` always works"
    ))
}

/// Bytes that can be had on `device`, if that can be told: of the machine's memory no more than this process's group may have.
pub fn free_memory(device: &Device) -> Option<u64> {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = device {
        return device.cuda_stream().context().mem_get_info().ok().map(|(free, _)| free as u64);
    }
    if device.is_cuda() {
        return None;
    }
    // Metal shares it.
    let mut system = System::new().ok()?;
    system.refresh_memory();
    let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    Some(system.available_memory().min(group)).filter(|&free| free > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_devices_are_refused_by_name() {
        assert!(open("cpu").is_ok());
        assert!(open("auto").is_ok());
        let error = open("tpu").unwrap_err().to_string();
        assert!(error.contains("--device tpu"), "{error}");
        assert!(open("cuda:x").is_err());
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(free_memory(&Device::Cpu).unwrap() > 1 << 20);
    }
}
