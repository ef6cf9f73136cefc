// Registers <postern-upload>. The class alone is in element.ts.

import { PosternUpload } from './element.ts';

export { PosternUpload } from './element.ts';
export type * from './element.ts';

if (!customElements.get('postern-upload')) customElements.define('postern-upload', PosternUpload);
