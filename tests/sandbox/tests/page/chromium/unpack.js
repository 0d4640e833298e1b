// Unpacks the browser and the libraries that it brings: node unpack.js FROM TO
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { brotliDecompressSync } = require('node:zlib');

const [from, to] = process.argv.slice(2);
const packed = name => brotliDecompressSync(fs.readFileSync(path.join(from, `${name}.br`)));
fs.writeFileSync(path.join(to, 'chromium'), packed('chromium'), { mode: 0o755 });
for (const archive of ['al2023.tar', 'fonts.tar']) execFileSync('tar', ['-x', '-C', to], { input: packed(archive) });
