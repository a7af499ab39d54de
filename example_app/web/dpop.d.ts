/** Where the key is kept. All tabs must see the same one. */
export interface KeyStore {
  /** Resolves to the key, or to undefined where there is none. */
  get(): Promise<CryptoKeyPair | undefined>;
  /** Keeps the key, and rejects where there is one already. */
  add(pair: CryptoKeyPair): Promise<unknown>;
  delete(): Promise<unknown>;
}

export interface ProverOptions {
  /** browserStore, if left out. */
  store?: KeyStore;
}

/**
 * Proves to servers that this browser has a key. It makes an ES256 key when it first needs one. Each method rejects if the
 * browser can't keep a key, for instance on a page that is neither https nor localhost.
 */
export class Prover {
  constructor(options?: ProverOptions);

  /**
   * Is like the global fetch, with a proof. Where the request has the header "Authorization: DPoP …", the proof names that
   * token. It remembers the server's nonce, and sends the request once more if the server asks for a newer one
   * (use_dpop_nonce). A server of another origin has to let the page read its headers DPoP-Nonce and WWW-Authenticate
   * (Access-Control-Expose-Headers), and let it send DPoP.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;

  /** Makes a proof, for requests that are not sent with fetch. The URL is absolute; its query and fragment don't matter. */
  proof(method: string, url: string | URL, about?: { token?: string; nonce?: string }): Promise<string>;

  /** The key's JWK thumbprint (RFC 7638), which the server has in cnf.jkt. */
  thumbprint(): Promise<string>;

  /** Deletes the key, for all tabs. A session that is bound to it is lost. */
  forget(): Promise<void>;
}

/** Keeps the key in IndexedDB, for all pages of the origin. Its private half can't be read. */
export const browserStore: KeyStore;
