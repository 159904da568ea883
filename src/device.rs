//! The device that the nets run on: `auto | cpu | cuda[:N] | metal`.

use crate::error::Kind;
use anyhow::{Context, Result, bail};
use candle_core::Device;

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
}
