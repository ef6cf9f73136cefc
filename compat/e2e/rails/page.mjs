// A Rails page: Active Storage takes over the form's file field, as in every
// application that sets direct_upload: true. The button beside it uses the class
// for those who do without the form.

import * as ActiveStorage from '@rails/activestorage';

const query = new URLSearchParams(location.search);
const input = document.querySelector('input[type=file]');
const fault = document.querySelector('[role=alert]');
const preset = query.get('preset');
input.dataset.directUploadUrl = `${query.get('gate')}/rails/active_storage/direct_uploads${preset ? `?preset=${preset}` : ''}`;

ActiveStorage.start();
document.addEventListener('direct-upload:error', (event) => {
  event.preventDefault(); // instead of an alert
  fault.textContent = event.detail.error;
});

document.getElementById('direct').addEventListener('click', () => {
  new ActiveStorage.DirectUpload(input.files[0], input.dataset.directUploadUrl).create((error, blob) => {
    fault.textContent = error ?? '';
    document.getElementById('signed').textContent = blob?.signed_id ?? '';
  });
});
document.body.dataset.ready = '';
