// Suite initializers: the first values of parameters.
import JobSpec
import Linen
import TensorEngine
import Testing

@Suite("Initializers give JAX's numbers")
struct InitializerParityTests {
    @Test(
        "every case of the suite initializers that is built gives JAX's numbers",
        arguments: [("named", 0), ("orthogonal", 0), ("simple", 0), ("variance_scaling", 0)])
    func initializers(group: String, notBuilt: Int) throws {
        try checkParity("initializers", group, notBuilt: notBuilt) { parityCase in
            let config = parityCase.config
            let initializer = try Initializer.parity(
                try config.member("init").stringValue ?? "", config["args"] ?? [:])
            let got = try initializer(
                try config.member("key").prngKey(), Shape(try config.member("shape").integers ?? []),
                dtype: try config["dtype"]?.dtype() ?? .float32)
            try expectClose(got, try parityCase.expected.member("out"), parityCase.tolerance)
        }
    }
}
