// Suite linen: variables, outputs, updates and gradients of Flax's modules.
import Testing

@Suite("Modules are Flax's")
struct LinenParityTests {
    @Test(
        "every case of the suite linen that is built has Flax's variables, results and gradients",
        arguments: [
            ("dense", 2), ("models", 0), ("errors", 0), ("attention", 0), ("conv", 0), ("dropout", 0),
            ("lifted", 0), ("norm", 0), ("recurrent", 0),
        ])
    func linen(group: String, notBuilt: Int) throws {
        try checkParity("linen", group, notBuilt: notBuilt) { try LinenCase($0).check() }
    }
}
