// Prints each `any` and `unknown` in the models of generated files, and exits 1 if there is one.
//
// usage: node find_untyped.mjs FILE...
//
// Models are the types and interfaces at the top of a file, and the schemas of zod. What a generator's own functions use inside
// is not a model. `metadata` is an application's own object, which the document leaves open. openapi-typescript puts everything into one file; there, `components.schemas` is the models.
import { readFileSync } from 'node:fs';
import ts from 'typescript';

const UNTYPED = new Set([ts.SyntaxKind.AnyKeyword, ts.SyntaxKind.UnknownKeyword, ts.SyntaxKind.ObjectKeyword]);
const OPENAPI_TYPESCRIPT = new Set(['paths', 'webhooks', 'components', '$defs', 'operations']);

function models(file) {
  const declared = file.statements.filter((node) => ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node));
  const isOneFile = declared.some((node) => node.name.text === 'components');
  const found = declared.filter((node) => !(isOneFile && OPENAPI_TYPESCRIPT.has(node.name.text)));
  const components = declared.find((node) => isOneFile && node.name.text === 'components');
  found.push(...(components?.members ?? []).filter((member) => member.name.text === 'schemas'));
  return found.concat(file.statements.filter((node) => ts.isVariableStatement(node)));
}

function isUntypedZod(node) {
  return ts.isCallExpression(node) && /^z\.(any|unknown)$/.test(node.expression.getText());
}

let count = 0;

function isOpen(node) {
  return /^(new)?metadata/i.test(node.name?.text ?? '');
}

function visit(file, node) {
  if (isOpen(node)) return;
  if (UNTYPED.has(node.kind) || isUntypedZod(node)) {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    console.log(`${file.fileName}:${line + 1}: ${file.text.split('\n')[line].trim()}`);
    count += 1;
  }
  ts.forEachChild(node, (child) => visit(file, child));
}

for (const name of process.argv.slice(2)) {
  const file = ts.createSourceFile(name, readFileSync(name, 'utf8'), ts.ScriptTarget.Latest, true);
  for (const node of models(file)) visit(file, node);
}
process.exit(count ? 1 : 0);
