// Before anything is drawn: light or dark as this person chose, else as the system says.
"use strict";
{
  let theme = null;
  try {
    theme = localStorage.getItem("waystation-theme");
  } catch {
    theme = null;
  }
  document.documentElement.dataset.script = "on";
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
