// The same page for every version of Uppy: no plugin with a look of its own, but
// Uppy's own words where its dashboard would show them.

/**
 * Runs the page. Its query says: gate, preset, parts (the size above which a
 * file goes in parts), size (the application tells the gate of it).
 */
export function run(Uppy, AwsS3, endpoint) {
  const query = new URLSearchParams(location.search);
  const preset = query.get('preset');
  const over = Number(query.get('parts') ?? Infinity);
  const at = (id) => document.getElementById(id);
  const say = (state) => { at('state').textContent = state; };

  const uppy = new Uppy({ meta: preset ? { preset } : {} });
  uppy.use(AwsS3, { ...endpoint(query.get('gate')), shouldUseMultipart: (file) => file.size > over });

  document.querySelector('input').addEventListener('change', ({ target }) => {
    for (const file of target.files) {
      const id = uppy.addFile({ name: file.name, type: file.type, data: file });
      if (query.has('size')) uppy.setFileMeta(id, { size: file.size });
    }
  });
  at('send').addEventListener('click', () => {
    say('sending');
    // It rejects when a file fails; "complete" and the messages tell of it.
    uppy.upload().catch(() => {});
  });
  at('pause').addEventListener('click', () => uppy.pauseAll());
  at('resume').addEventListener('click', () => uppy.resumeAll());
  at('cancel').addEventListener('click', () => uppy.cancelAll());
  at('retry').addEventListener('click', () => {
    say('sending');
    uppy.retryAll().catch(() => {});
  });

  let parts = 0;
  uppy.on('s3-multipart:part-uploaded', () => { at('parts').textContent = ++parts; });
  uppy.on('upload-success', (file, { uploadURL }) => { at('address').textContent = uploadURL; });
  uppy.on('info-visible', () => {
    document.querySelector('[role=alert]').textContent = uppy.getState().info.map(({ message, details }) => [message, details].filter(Boolean).join(' | ')).join('\n');
  });
  uppy.on('cancel-all', () => say('cancelled'));
  uppy.on('complete', ({ successful, failed }) => {
    if (failed.length > 0) say('failed');
    else if (successful.length > 0) say('complete');
  });
}
