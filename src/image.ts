/** Images for models: decoding, and what a preprocessor_config.json says. */

export { loadImage, type RgbImage } from "./image/load-image.ts";
export { type ImageConfig, preprocess, readImageConfig } from "./image/preprocess.ts";
