import { pluginOas } from '@kubb/plugin-oas';
import { pluginTs } from '@kubb/plugin-ts';

export default {
  input: { path: process.env.OPENAPI_DOCUMENT },
  output: { path: process.env.OPENAPI_OUTPUT, clean: true, format: false, lint: false },
  plugins: [
    pluginOas({ generators: [] }),
    // A response without a body is `void`.
    pluginTs({ output: { path: 'models' }, unknownType: 'unknown', emptySchemaType: 'void' }),
  ],
};
