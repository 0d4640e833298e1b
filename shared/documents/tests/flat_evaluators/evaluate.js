// Reads JSON lines of {kind, text} from the standard input and writes what Node's dotenv, or its URL, makes of each.
const dotenv = require('dotenv')
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter(Boolean)

function url (text) {
  const read = new URL(text)
  const part = (value) => (value === '' ? null : decodeURIComponent(value))
  return {
    user: part(read.username),
    password: part(read.password),
    host: part(read.hostname),
    port: part(read.port),
    database: part(read.pathname.replace(/^\//, '')),
    query: read.search
  }
}

const readers = {
  dotenv: (text) => dotenv.parse(Buffer.from(text)),
  dotenv_fast: (text) => dotenv.parse(Buffer.from(text), { fast: true }),
  url
}
console.log(lines.map((line) => {
  const { kind, text } = JSON.parse(line)
  return JSON.stringify(readers[kind](text))
}).join('\n'))
