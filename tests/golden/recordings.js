// Makes the HE-AAC files of tests/golden/recordings: no free ffmpeg writes them but that of these packages, which has libfdk_aac.
//     npm install @ffmpeg/ffmpeg@0.10.1 @ffmpeg/core@0.10.0 && node tests/golden/recordings.js source.wav tests/golden/recordings
// `source.wav` is examples/reference.wav from second 2.5 on. Node 20.
globalThis.fetch = undefined; // else the core tries to fetch its own file
const fs = require('fs');
const path = require('path');
const core = require('@ffmpeg/core');

const FILES = {
  'he.aac': 'aac_he -ar 44100 -ac 1 -b:a 32k',
  'he-v2.aac': 'aac_he_v2 -ar 44100 -ac 2 -b:a 32k',
  'he-stereo.aac': 'aac_he -ar 32000 -ac 2 -b:a 48k',
  'he.m4a': 'aac_he -ar 44100 -ac 1 -b:a 32k',
  'he-v2.m4a': 'aac_he_v2 -ar 44100 -ac 2 -b:a 32k',
};

// One run of the core makes one file: it cannot be called twice.
async function make(source, name, target) {
  const wasmBinary = fs.readFileSync(require.resolve('@ffmpeg/core/dist/ffmpeg-core.wasm'));
  const locateFile = (file) => require.resolve('@ffmpeg/core/dist/' + file);
  const program = await core({ wasmBinary, locateFile, print: () => {}, printErr: () => {} });
  program.FS.writeFile('in.wav', new Uint8Array(fs.readFileSync(source)));
  const words = `ffmpeg -nostdin -y -i in.wav -t 0.4 -c:a libfdk_aac -profile:a ${FILES[name]} ${name}`.split(' ');
  const table = program._malloc(words.length * 4);
  words.forEach((word, i) => {
    const text = program._malloc(word.length + 1);
    program.writeAsciiToMemory(word, text);
    program.setValue(table + 4 * i, text, 'i32');
  });
  program.cwrap('proxy_main', 'number', ['number', 'number'])(words.length, table);
  let last = -1;
  setInterval(() => {
    const size = program.FS.analyzePath(name).exists ? program.FS.stat(name).size : 0;
    if (size > 0 && size === last) {
      fs.writeFileSync(target, program.FS.readFile(name));
      process.exit(0);
    }
    last = size;
  }, 1500);
}

const [source, folder, name] = process.argv.slice(2);
if (name) {
  make(source, name, path.join(folder, name));
} else {
  for (const file of Object.keys(FILES)) {
    require('child_process').execFileSync(process.execPath, [__filename, source, folder, file], { stdio: 'inherit' });
  }
}
