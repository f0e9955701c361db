// Without this script all tables are complete; it only sorts them, and opens folded parts for printing.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...[...head.childNodes].filter(node => node.nodeType === Node.TEXT_NODE));
    head.prepend(button);
    button.addEventListener("click", () => {
      const descends = head.getAttribute("aria-sort") !== "descending";
      heads.forEach(one => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descends ? "descending" : "ascending");
      for (const body of table.tBodies) sort(body, column, descends ? -1 : 1);
    });
  });
}
function sort(body, column, sign) {
  const key = row => row.cells[column].dataset.sort ?? row.cells[column].textContent;
  const rows = [...body.rows].filter(row => !row.classList.contains("group"));
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)], [p, q] = [Number(x), Number(y)];
    // Cells without a number come last.
    if (Number.isNaN(p) !== Number.isNaN(q)) return Number.isNaN(p) ? 1 : -1;
    return sign * (Number.isNaN(p) ? x.localeCompare(y) : p - q);
  };
  body.append(...rows.sort(compare));
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(one => { one.open = true; }));
