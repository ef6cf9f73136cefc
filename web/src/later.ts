// Parts that are fetched when they are needed, from more than one place.

export const images = (): Promise<typeof import('./image.ts') | undefined> => import('./image.ts').catch(() => undefined);
