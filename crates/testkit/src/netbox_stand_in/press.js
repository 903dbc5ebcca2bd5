// The script of a fabric's page in the stand-in for the predecessor, written by us after what its page was seen to do:
// it prefers the page's token, which goes stale, and puts what it is told into the page as HTML.

function csrfToken() {
  const meta = document.querySelector('meta[name="csrf-token"]');
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]*)/);
  return (meta && meta.content) || window.CSRF_TOKEN || (cookie && cookie[1]) || "";
}

function showAlert(kind, message) {
  const alert = document.createElement("div");
  alert.className = `alert alert-${kind}`;
  alert.setAttribute("role", "alert");
  alert.innerHTML = `${message}<button type="button" class="btn-close" aria-label="Close"></button>`;
  document.getElementById("alerts").prepend(alert);
  setTimeout(() => alert.remove(), 5000);
}

async function press(button, words, path, what) {
  const label = button.dataset.label || button.textContent;
  button.dataset.label = label;
  button.textContent = words;
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "X-CSRFToken": csrfToken(), "Content-Type": "application/json" },
    });
    const data = await answer.json();
    if (data.success) {
      showAlert("success", data.message);
      setTimeout(() => location.reload(), 1500);
    } else {
      showAlert("danger", `${what} failed: ${data.error || data.message}`);
    }
  } catch (error) {
    showAlert("danger", `${what} failed: ${error.message}`);
  }
  button.textContent = label;
}

function triggerSync(id) {
  press(document.getElementById("sync-button"), "Syncing…", `/plugins/hedgehog/fabrics/${id}/sync/`, "Fabric sync");
}

function syncFromFabric(id) {
  press(document.getElementById("sync-fabric-button"), "Syncing…", `/plugins/hedgehog/fabrics/${id}/sync/`, "Fabric sync");
}

function testConnection(id) {
  const path = `/plugins/hedgehog/fabrics/${id}/test-connection/`;
  press(document.getElementById("test-connection-button"), "Testing…", path, "Connection test");
}
