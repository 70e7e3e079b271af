// @ts-check
/** The live feed: one EventSource, resumed where it ended, each record handed on once, gaps told. */

/** Records the page follows all the time; each engagement event is too many: KPI updates tell of them. */
export const FOLLOWED = [
  "persona.requests", "drafts.generated", "drafts.scored", "drafts.accepted", "drafts.rejected", "drafts.reviews",
  "posts.states", "posts.published", "cost.events", "kpi.updates", "budget.alerts", "dead.letters", "personas",
];

const SILENCE_MS = 60_000;
const RETRY_MS = [500, 1000, 2000, 5000, 10_000];

/** @typedef {{topic: string, partition: number, offset: number, timestamp: string, key: any, persona_id: string | null, value: any, simulated?: boolean}} StreamRecord */
/** @typedef {{topic: string, partition: number, from: number, to: number, reason: string, detail?: string}} Gap */
/** @typedef {"connecting" | "live" | "away" | "paused"} LiveState */

export class Feed {
  /** @param {{topics: string[], persona?: string}} wanted */
  constructor({ topics, persona }) {
    this.topics = topics;
    this.persona = persona ?? "";
    /** @type {LiveState} */
    this.state = "connecting";
    this.received = 0;
    this.lost = 0;
    this.failures = 0;
    this.lastId = "";
    /** @type {Map<string, number>} the next offset of each partition */
    this.positions = new Map();
    this.events = new EventTarget();
    /** @type {EventSource | null} */
    this.source = null;
    this.timer = 0;
    this.watch = 0;
  }

  /** Begin, and go on until the signal. A page that nobody sees holds no connection; it resumes when it is seen. @param {AbortSignal} signal */
  start(signal) {
    const seen = () => (document.hidden ? this.#close("paused") : this.#open());
    document.addEventListener("visibilitychange", seen, { signal });
    signal.addEventListener("abort", () => this.#close("paused"));
    seen();
  }

  /**
   * @param {"record" | "gap" | "state" | "status" | "refused"} name
   * @param {(detail: any) => void} listener
   * @param {AbortSignal} signal
   */
  on(name, listener, signal) {
    this.events.addEventListener(name, (event) => listener(/** @type {CustomEvent} */ (event).detail), { signal });
  }

  /** Follow the records of some topics. @param {string[]} topics @param {(record: StreamRecord) => void} listener @param {AbortSignal} signal */
  follow(topics, listener, signal) {
    this.on("record", (record) => topics.includes(record.topic) && listener(record), signal);
  }

  #open() {
    clearTimeout(this.timer);
    this.source?.close();
    this.#tell("connecting");
    const query = new URLSearchParams({ topics: this.topics.join(",") });
    if (this.persona) query.set("persona", this.persona);
    if (this.lastId) query.set("last_event_id", this.lastId);
    const source = new EventSource(`/v1/stream?${query}`);
    this.source = source;
    source.onopen = () => {
      this.failures = 0;
      this.#tell("live");
    };
    source.addEventListener("record", (event) => this.#record(event));
    source.addEventListener("gap", (event) => this.#gap(event));
    source.addEventListener("status", (event) => this.#tellOf("status", JSON.parse(event.data)));
    source.addEventListener("position", (event) => this.#alive(event));
    source.onerror = () => source === this.source && this.#again(source);
  }

  /**
   * The browser resumes by itself, with the Last-Event-ID that it alone knows best, until an answer comes that is no
   * stream: then this does, with the last position it was told.
   * @param {EventSource} source
   */
  #again(source) {
    if (source.readyState === EventSource.CONNECTING) return this.#tell("away");
    this.#close("away");
    this.#tellOf("refused", null);
    const wait = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)];
    this.timer = setTimeout(() => !document.hidden && this.#open(), wait);
  }

  /** A sign of life with the position reached: without one for a while the connection is dead, though nobody said so. @param {MessageEvent} event */
  #alive(event) {
    if (event.lastEventId) this.lastId = event.lastEventId;
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.source && this.#open(), SILENCE_MS);
  }

  /** @param {LiveState} state */
  #close(state) {
    clearTimeout(this.timer);
    clearTimeout(this.watch);
    this.source?.close();
    this.source = null;
    this.#tell(state);
  }

  /** @param {MessageEvent} event */
  #record(event) {
    const record = /** @type {StreamRecord} */ (JSON.parse(event.data));
    if (event.lastEventId) this.lastId = event.lastEventId;
    const at = `${record.topic}/${record.partition}`;
    if (record.offset < (this.positions.get(at) ?? 0)) return; // known from before the connection was lost
    this.positions.set(at, record.offset + 1);
    this.received += 1;
    this.#tellOf("record", record);
  }

  /** @param {MessageEvent} event */
  #gap(event) {
    if (event.lastEventId) this.lastId = event.lastEventId;
    const gap = /** @type {Gap} */ (JSON.parse(event.data));
    this.lost += Math.max(0, (gap.to ?? 0) - (gap.from ?? 0));
    this.#tellOf("gap", gap);
  }

  /** @param {LiveState} state */
  #tell(state) {
    if (state === this.state) return;
    this.state = state;
    this.#tellOf("state", state);
  }

  /** @param {string} name @param {any} detail */
  #tellOf(name, detail) {
    this.events.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
