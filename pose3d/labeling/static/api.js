// Requests to the server. Actions are sent one after the other, in the order of the clicks.

export class Refused extends Error {}

async function answer(response) {
  let content = {};
  try {
    content = await response.json();
  } catch {
    throw new Error(`the server answered ${response.status}`);
  }
  if (!response.ok) throw new Refused(content.error ?? `the server answered ${response.status}`);
  return content;
}

export const getProject = async () => answer(await fetch("api/project"));

export async function getInstant(number) {
  await last; // what was clicked before is in the answer
  return answer(await fetch(`api/instant/${number}`));
}

export const getCurves = async (instant, individual, keypoint) =>
  (await answer(await fetch(`api/curves/${instant}/${individual}/${keypoint}`))).curves;

const post = async (path, body) =>
  answer(await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }));

let last = Promise.resolve();

export function sendAction(body) {
  const mine = last.then(() => post("api/action", body));
  last = mine.catch(() => {});
  return mine;
}

export const saveNow = () => post("api/save", {});

// --- images ----------------------------------------------------------------------------------------------------------

const pictures = new Map(); // address to a promise of an ImageBitmap; the one used last stands last
const MOST = 32;

export function getPicture([video, image]) {
  const address = `image/${encodeURIComponent(video)}/${encodeURIComponent(image)}`;
  const known = pictures.get(address);
  const picture = known ?? loadPicture(address);
  pictures.delete(address);
  pictures.set(address, picture);
  if (!known) picture.catch(() => pictures.delete(address)); // it may be mended meanwhile
  for (const [old, gone] of pictures) {
    if (pictures.size <= MOST) break;
    pictures.delete(old);
    gone.then((bitmap) => setTimeout(() => bitmap.close(), 5000), () => {});
  }
  return picture;
}

async function loadPicture(address) {
  const response = await fetch(address);
  if (!response.ok) await answer(response);
  try {
    return await createImageBitmap(await response.blob());
  } catch {
    throw new Refused("the image is damaged and cannot be shown; extract it again");
  }
}
