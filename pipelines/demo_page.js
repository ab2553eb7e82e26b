// An editor drops a file that is no picture before any Python sees it, and says nothing: this says it below the editor.
(() => {
  const check = async (event) => {
    const source = event.target.closest?.(".editor");
    const file = (event.target.files ?? event.dataTransfer?.files)?.[0];
    if (!source || !file) return;
    source.parentElement.querySelector(".unreadable")?.remove();
    try {
      (await createImageBitmap(file)).close();
    } catch {
      const words = document.createElement("p");
      words.className = "unreadable";
      words.setAttribute("role", "alert");
      words.textContent = `${file.name} is not a picture that can be read: take a PNG, JPEG or WebP.`;
      source.after(words);
    }
  };
  const forget = (event) => {
    if (event.target.closest?.(".examples")) document.querySelectorAll(".unreadable").forEach((each) => each.remove());
  };
  document.addEventListener("click", forget, true);
  document.addEventListener("change", check, true);
  document.addEventListener("drop", check, true);
})();
