// What a page does with dicomweb-client of npm; its findings become the text of the page.
import { api } from "./dicomweb-client.es.js";

const { files, film, palette } = await (await fetch("/cases.json")).json();
const client = new api.DICOMwebClient({ url: `${location.origin}/dicom-web`, retrieveRendered: false });
const found = {};

async function bytesOf(name) {
  return (await fetch(`/${name}`)).arrayBuffer();
}

async function studies(wanted) {
  for (;;) {
    const rows = await client.searchForStudies();
    if (rows.length >= wanted) return rows.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function attempt(name, work) {
  try {
    found[name] = await work();
  } catch (error) {
    found[name] = `failed: ${error.message || error}`;
  }
}

const sizes = (parts) => parts.map((part) => part.byteLength);

await attempt("none", async () => (await client.searchForStudies({})).length);
await attempt("one", async () => {
  await client.storeInstances({ datasets: [await bytesOf(files[0])] });
  return studies(1);
});
await attempt("more", async () => {
  const rest = await Promise.all(files.slice(1).map(bytesOf));
  await Promise.all(rest.map((data) => client.storeInstances({ datasets: [data] })));
  return studies(files.length);
});
await attempt("frame", async () => {
  const frames = await client.retrieveInstanceFrames({ ...film, frameNumbers: "1" });
  return frames.map((frame) => [frame.contentType, frame.byteLength]);
});
await attempt("instance", async () => (await client.retrieveInstance(film)).byteLength);
await attempt("series", async () => sizes(await client.retrieveSeries(film)));
await attempt("study", async () => sizes(await client.retrieveStudy(film)));
await attempt("bulk", async () => {
  const [row] = await client.retrieveSeriesMetadata(palette);
  return sizes(await client.retrieveBulkData({ BulkDataURI: row["00281201"].BulkDataURI }));
});
document.body.textContent = JSON.stringify(found);
