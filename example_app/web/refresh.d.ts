/** A token of an answer. `token` is missing where the browser has it in a cookie. */
export interface Token {
  token?: string;
  /** An instant in RFC 3339, with milliseconds and Z. */
  expires: string;
}

/** The tokens of a login's answer. The answer to a step-up has only `access`. */
export interface Tokens {
  access: Token;
  refresh?: Token;
}

export interface SessionOptions {
  /** URL of the auth routes, for instance "/web/auth". It may be of another origin of the same site. */
  url: string | URL;
  /**
   * Where the refresh token is kept, if answers have it in their bodies; for instance localStorage. All tabs must see the same
   * one. If it throws, or has no such methods, the session lasts as long as the page. Leave it out in cookie mode.
   */
  storage?: Partial<Pick<Storage, "getItem" | "setItem" | "removeItem">>;
  /** Other origins than that of the url which `fetch` may send the access token to. */
  origins?: string[];
}

export interface SessionEventMap {
  /**
   * There is a new access token. The detail is "login" after a login, which may be another user's and in another tab, and
   * "refresh" otherwise.
   */
  refreshed: CustomEvent<"login" | "refresh">;
  /**
   * The session is over, or there was none when the page asked for it. The detail is "logout" after a log-out, in whichever tab,
   * and "expired" after the server has refused to refresh.
   */
  ended: CustomEvent<"logout" | "expired">;
  /** A refresh failed, and nobody is signed out. The detail is when it is tried again. */
  waiting: CustomEvent<Date>;
}

/** A user's session with the server, in all tabs of the browser. A page needs one. */
export class Session extends EventTarget {
  constructor(options: SessionOptions);

  /** When the access token ends, by the clock of this device; null while there is none. */
  readonly expires: Date | null;

  /** Begins a session with the tokens of a login's answer. After a step-up, takes the answer's access token, in this tab alone. */
  start(tokens: Tokens): void;

  /**
   * Is like the global fetch, with an access token. It refreshes first if the token is about to end, and once on a 401. A 401 that
   * asks for a step-up (insufficient_user_authentication, RFC 9470) is returned.
   *
   * Rejects with an Error of the name
   * - "SessionEnded" if nobody is signed in,
   * - "SessionWaiting" if no access token could be had in four tries, or soon enough; it goes on trying while the page is visible,
   * - "SessionRefused" if the refresh route answers as if the set-up were wrong, for instance 404, or if the server asks for a
   *   session that is bound to the device and the browser binds none.
   *
   * Rejects with a TypeError as fetch does if the request fails, or if its URL is of an origin that may not get the token.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;

  /** Gets a new access token. `fetch` does so by itself. Rejects as `fetch` does. */
  refresh(): Promise<void>;

  /**
   * Ends the session, in every tab. Rejects with "SessionWaiting" if the server could not be told in three tries. In cookie mode
   * the user is then still signed in. With a storage, the refresh token is gone from it.
   */
  logOut(): Promise<void>;

  addEventListener<K extends keyof SessionEventMap>(
    type: K,
    listener: (this: Session, event: SessionEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof SessionEventMap>(
    type: K,
    listener: (this: Session, event: SessionEventMap[K]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}
