// @ts-check
// Where the scripts of every page begin. Each page is complete without them; each module makes one thing better, and
// one that fails leaves the others working.
import * as errors from "./errors.js";
import * as activity from "./activity.js";
import * as constraints from "./constraints.js";
import * as copy from "./copy.js";
import * as ending from "./ending.js";
import * as forms from "./forms.js";
import * as keys from "./keys.js";
import * as live from "./live.js";
import * as login from "./login.js";
import * as press from "./press.js";
import * as tabs from "./tabs.js";
import * as theme from "./theme.js";
import * as times from "./times.js";

errors.start();
for (const module of [press, forms, live, times, theme, keys, copy, activity, ending, login, tabs, constraints]) {
  try {
    module.start();
  } catch (error) {
    errors.report(error);
  }
}
document.documentElement.dataset.script = "on";
