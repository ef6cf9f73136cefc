// Uppy Dashboard with its defaults, in the page; it sends at once, as the
// element does. The query says: endpoint.

import AwsS3 from '@uppy/aws-s3';
import Uppy from '@uppy/core';
import Dashboard from '@uppy/dashboard';
import '@uppy/dashboard/css/style.min.css';

const uppy = new Uppy({ autoProceed: true });
uppy.use(Dashboard, { inline: true, target: '#uppy' });
uppy.use(AwsS3, { companionEndpoint: new URLSearchParams(location.search).get('endpoint') });

watch.begin({
  // There is one for folders as well.
  input: document.querySelector('.uppy-Dashboard-input:not([webkitdirectory])'),
  rows: () => document.querySelectorAll('.uppy-Dashboard-Item'),
  name: (row) => row.id,
  picture: (row) => row.querySelector('img.uppy-Dashboard-Item-previewImg'),
});
