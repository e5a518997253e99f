// Search where the site is opened from disk: browsers start no worker from file://, so its script runs in a hidden frame.
// The theme's offline plugin would fetch such a script from another host; it takes this one for it by the file's name.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = inside.document.createElement("script");
      this.started = new Promise((started) => script.addEventListener("load", started));
      script.src = url;
      inside.document.body.append(script);
      this.inside = inside;
    }

    async postMessage(data) {
      await this.started;
      this.inside.dispatchEvent(new MessageEvent("message", { data }));
    }
  };
}
