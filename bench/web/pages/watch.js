// What a page sees of its own work: the script of all pages that are measured.
// Where pictures are asked for (in the query), it looks at every frame until
// there is one, and ten times a second from then on: seldom enough to be no load
// itself.

globalThis.watch = (() => {
  const quiet = 5000; // ms without another picture, after which no more are expected
  const longest = 60_000; // ms that are watched at most
  const every = 100; // ms between two looks

  const tasks = []; // long ones, [start, duration]
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) tasks.push([startTime, duration]);
  }).observe({ type: 'longtask', buffered: true });

  let view; // how to read this page
  let added; // when the files came, on the page's clock
  let gap = 0; // the longest time between two frames
  let first; // ms from then to the first picture
  let last; // when there was another one
  const drawn = new Set(); // names
  let early; // how things were after ten seconds
  const sent = new Map(); // name → id and ms
  const faults = [];
  let done;
  const over = new Promise((resolve) => { done = resolve; });

  const now = () => performance.now();
  const shows = (row) => {
    const picture = view.picture(row);
    return !!picture && (picture.localName !== 'img' || (picture.complete && picture.naturalWidth > 0));
  };

  function look() {
    for (const row of view.rows()) {
      if (!shows(row)) continue;
      const name = view.name(row);
      if (drawn.has(name)) continue;
      drawn.add(name);
      last = now();
      first ??= last - added;
    }
  }

  /** How many rows are on screen, and how many of them have their picture. */
  function screen() {
    return new Promise((resolve) => {
      const all = new IntersectionObserver((entries) => {
        all.disconnect();
        const seen = entries.filter((e) => e.isIntersecting).map((e) => e.target);
        resolve({ rows: seen.length, pictures: seen.filter(shows).length });
      });
      const rows = view.rows();
      if (!rows.length) resolve({ rows: 0, pictures: 0 });
      for (const row of rows) all.observe(row);
    });
  }

  function frames() {
    let before = added;
    const frame = () => {
      const t = now();
      gap = Math.max(gap, t - before);
      before = t;
      if (first === undefined) look();
      if (!ended()) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  const ended = () => now() - added > longest || (early && now() - last > quiet);

  async function looks() {
    for (;;) {
      await new Promise((go) => { setTimeout(go, every); });
      look();
      if (!early && now() - added >= 10_000) early = { drawn: drawn.size, ...(await screen()) };
      if (!ended()) continue;
      done();
      return;
    }
  }

  return {
    /** Tells how this page is read; the clock starts when its input has files. */
    begin(how) {
      view = how;
      view.input.addEventListener('change', () => {
        added = now();
        performance.mark('files added'); // for the trace, see browser.mjs
        if (!new URLSearchParams(location.search).has('pictures')) return;
        frames();
        void looks();
      }, { capture: true, once: true });
      this.input = view.input;
    },
    sent(name, id) {
      sent.set(name, { id, ms: now() - added });
    },
    failed(name, why) {
      // What has been sent is checked, and noise is no picture.
      if (!sent.has(name)) faults.push(`${name}: ${why}`);
    },
    /** When that many files have been sent: the milliseconds it took, and their ids. */
    async arrived(count) {
      while (sent.size < count) {
        if (faults.length) throw new Error(faults.join('\n'));
        await new Promise((go) => { setTimeout(go, every); });
      }
      const all = [...sent.values()];
      return { ms: Math.max(...all.map((s) => s.ms)), ids: all.map((s) => s.id) };
    },
    /** When no more pictures come: what there was to see. */
    async pictures() {
      await over;
      const block = Math.max(0, ...tasks.filter(([start, took]) => start + took > added).map(([, took]) => took));
      return { first, early, drawn: drawn.size, block, gap, settled: now() - added < longest };
    },
  };
})();
