// esbuild gives a style sheet's text: see build/main.go.
declare module '*.css' {
  const text: string;
  export default text;
}
