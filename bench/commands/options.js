/** Options that several commands of the bench have. */
import { Option } from "commander";

const weightDtypes = ["f32", "bf16", "f16", "int8", "nf4"];

export function shapeOption(names) {
  return new Option("--shape <name>", "sizes of a real network").choices(names);
}

export function weightsOption() {
  return new Option("--weights <dtype>", "how the frozen weights are kept").choices(weightDtypes).default("f32");
}
