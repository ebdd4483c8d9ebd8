const ROW = 18;
const LEFT = 560;
const WIDTH = 420;
const RIGHT = 70;
const TOP = 46;
/** Eight times better than the target, to eight times worse. */
const OCTAVES = 3;

/** How each ratio stands to its target: to the left of the line it is better. */
export function plotRatios(rows) {
  const height = TOP + rows.length * ROW + 16;
  const x = (value) => LEFT + (WIDTH / 2) * (1 + Math.max(-OCTAVES, Math.min(OCTAVES, Math.log2(value))) / OCTAVES);
  const middle = x(1);
  const marks = rows.map(({ label, ratio, value }, index) => {
    // More is worse, whichever way the target points.
    const against = (measured) => (ratio.atMost === undefined ? ratio.atLeast / measured : measured / ratio.atMost);
    const y = TOP + index * ROW;
    const [at, quiet] = [x(against(value.median)), x(against(value.quiet))];
    const colour = against(value.median) <= 1 ? '#1a7f4b' : '#b3402a';
    const target = ratio.atMost === undefined ? `\u2265 ${ratio.atLeast}` : `\u2264 ${ratio.atMost}`;
    return [
      `<text x="${LEFT - 10}" y="${y + 4}" text-anchor="end">${escape(label)}</text>`,
      `<line x1="${middle}" y1="${y}" x2="${at.toFixed(1)}" y2="${y}" stroke="${colour}" stroke-width="8"/>`,
      `<circle cx="${quiet.toFixed(1)}" cy="${y}" r="3.5" fill="#fff" stroke="#333"/>`,
      `<text x="${LEFT + WIDTH + 8}" y="${y + 4}" fill="${colour}">${value.median.toFixed(2)} (${target})</text>`,
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + RIGHT + 60}" height="${height}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${middle}" y="16" text-anchor="middle" font-size="13">better than its target | worse</text>
<text x="${middle}" y="31" text-anchor="middle">bar: ratio of medians; circle: of 20th percentiles; the edges are eightfold</text>
<line x1="${middle}" y1="36" x2="${middle}" y2="${height - 8}" stroke="#333"/>
${marks.join('\n')}
</svg>
`;
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
