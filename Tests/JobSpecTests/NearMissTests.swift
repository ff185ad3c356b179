// "Did you mean".

import JobSpec
import Testing

struct NearMissTests {
    @Test(
        "misspellings find the name that was meant",
        arguments: [
            ("lerning_rate", "learning_rate"), ("learning_rtae", "learning_rate"),
            ("Learning_Rate", "learning_rate"),
            ("momentun", "momentum"), ("esp", "eps"), ("b1 ", "b1"), ("batchsize", "batch_size"),
        ])
    func near(written: String, meant: String) {
        let names = ["learning_rate", "momentum", "eps", "b1", "batch_size"]
        #expect(nearMiss(written, among: names) == meant)
    }

    @Test(
        "names that are near nothing get no suggestion",
        arguments: ["", "x", "dropout", "learn", String(repeating: "b", count: 1_000_000)])
    func far(written: String) {
        #expect(nearMiss(written, among: ["learning_rate", "momentum", "b"]) == (nil as String?))
    }
}
