import AwsS3 from '@uppy/aws-s3';
import Uppy from '@uppy/core';

import { run } from '../pages/uppy.mjs';

run(Uppy, AwsS3, (gate) => ({ companionEndpoint: gate }));
