// Writes the numbers from 1 to N, one a line, every MS milliseconds: `count-up.mjs N MS`. A gap or a repeat in a copy is plain to see.
const [last, ms] = process.argv.slice(2).map(Number)
for (let n = 1; n <= last; n++) {
  console.log(n)
  await new Promise((resolve) => setTimeout(resolve, ms))
}
