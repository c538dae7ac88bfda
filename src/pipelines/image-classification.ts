/** Classes of images. */
import { readText } from "../checkpoint/checkpoint.ts";
import { openSource } from "../checkpoint/open.ts";
import { openData } from "../checkpoint/open-data.ts";
import { callOptions, camelKeys, wrongArgument } from "../core/call-options.ts";
import { loadImage } from "../image/load-image.ts";
import { type ImageConfig, preprocess, readImageConfig } from "../image/preprocess.ts";
import { pixelInput } from "../nn/pass/pixels.ts";
import { forEach, outputsOf, type PipelineModel } from "./loaded.ts";
import type { ClassificationOptions, ImageInput } from "./results.ts";
import { rankedClasses } from "./scores.ts";
import { ranking } from "./text-classification.ts";

const FILE = "preprocessor_config.json";
/** What transformers gives where nothing is said. */
const CLASSES = 5;

export function imageClassification(loaded: PipelineModel) {
  let config: Promise<ImageConfig> | null = null;
  return async (images: ImageInput | readonly ImageInput[], given: ClassificationOptions = {}) => {
    const options = camelKeys(given) as ClassificationOptions;
    callOptions("image-classification", ranking, options);
    const { topK = CLASSES } = options;
    const isOne = !Array.isArray(images);
    config ??= configOf(loaded);
    const prepared = await config;
    const found = await forEach(images, isOne, async (image: ImageInput) => {
      const pixels = preprocess(await loadImage(await bytesOf(image), nameOf(image)), prepared);
      const [logits] = outputsOf(loaded, { inputs: [pixelInput(pixels)] });
      return rankedClasses(loaded.base, logits!, { ...options, topK }, false);
    });
    return isOne ? found[0]! : found;
  };
}

async function configOf({ place }: PipelineModel): Promise<ImageConfig> {
  const source = openSource(place);
  return readImageConfig(await readText(source, FILE), `${FILE} of ${source.name}`);
}

async function bytesOf(image: ImageInput): Promise<Uint8Array> {
  if (image instanceof Uint8Array) return image;
  if (image instanceof ArrayBuffer) return new Uint8Array(image);
  if (image instanceof Blob) return new Uint8Array(await image.arrayBuffer());
  if (typeof image !== "string" && !(image instanceof URL))
    throw wrongArgument(
      "image-classification",
      "an image",
      image,
      "the bytes of a PNG or JPEG file, or its path or URL",
    );
  const { source, file } = openData(pathOf(image));
  return source.read(file);
}

function pathOf(image: string | URL): string {
  return image instanceof URL && image.protocol === "file:" ? decodeURIComponent(image.pathname) : String(image);
}

function nameOf(image: ImageInput): string {
  return typeof image === "string" || image instanceof URL ? `image "${image}"` : "the image";
}
