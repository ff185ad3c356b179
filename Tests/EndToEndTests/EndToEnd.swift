// The suite that all end-to-end tests belong to: one after the other, because each has servers and workers of its own.
import Testing

@Suite("End to end", .serialized)
struct EndToEnd {}
