// Files that are chosen, dropped or pasted.

import { element } from "./elements.ts";

export function onFiles(take: (files: File[]) => void): void {
  const input = element<HTMLInputElement>("choose");
  input.addEventListener("change", () => {
    take([...(input.files ?? [])]);
    input.value = ""; // So that the same file can be chosen again.
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) {
      event.preventDefault();
      take(files);
    }
  });
  const stage = element("stage");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("target");
  });
  document.addEventListener("dragleave", () => stage.classList.remove("target"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("target");
    take([...(event.dataTransfer?.files ?? [])]);
  });
}
