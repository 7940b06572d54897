// How many segments a text costs, while it is typed; the service counts again when it is sent (GSM 03.38).

const BASIC = new Set('@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?'
  + '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà');
const EXTENDED = new Set('\f^{}\\[~]|€');

function pack(widths, alone, together) {
  if (widths.reduce((sum, width) => sum + width, 0) <= alone) return 1;
  let segments = 1, used = 0;
  for (const width of widths) {
    if (used + width > together) { segments += 1; used = 0; }
    used += width;
  }
  return segments;
}

export function count(text) {
  const characters = Array.from(text);
  const costly = [...new Set(characters.filter(one => !BASIC.has(one) && !EXTENDED.has(one)))];
  const segments = costly.length
    ? pack(characters.map(one => one.length), 70, 67)
    : pack(characters.map(one => (EXTENDED.has(one) ? 2 : 1)), 160, 153);
  return { characters: characters.length, segments, encoding: costly.length ? 'UCS-2' : 'GSM-7', costly };
}
