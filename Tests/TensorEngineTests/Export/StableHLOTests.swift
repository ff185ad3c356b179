// What programs look like as StableHLO, and what is refused. That XLA takes and agrees with it is checked in deploy/interop.
import Testing

@testable import TensorEngine

@Suite struct StableHLOTests {
    private func dense(_ batchSize: Int) throws -> Program {
        try makeProgram(
            { (x: [Tensor]) in try relu(matmul(x[0], x[1]) + x[2]) },
            [zeros([batchSize, 4]), zeros([4, 3]), zeros([3])])
    }

    @Test func `A layer of known sizes reads like XLA's own text`() throws {
        let text = try dense(2).stableHLO(name: "dense", inputNames: ["x", "params/kernel", "params/bias"])
        #expect(
            text == """
                module @dense {
                  // %arg0: x
                  // %arg1: params/kernel
                  // %arg2: params/bias
                  func.func public @main(%arg0: tensor<2x4xf32>, %arg1: tensor<4x3xf32>, %arg2: tensor<3xf32>) -> (tensor<2x3xf32>) {
                    %0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
                    %1 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<3xf32>) -> tensor<2x3xf32>
                    %2 = stablehlo.add %0, %1 : tensor<2x3xf32>
                    %3 = stablehlo.constant dense<0.0> : tensor<f32>
                    %4 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<2x3xf32>
                    %5 = stablehlo.maximum %2, %4 : tensor<2x3xf32>
                    return %5 : tensor<2x3xf32>
                  }
                }

                """)
    }

    @Test func `An open batch size is read from an argument, once`() throws {
        let text = try BatchPolymorphicProgram(tracing: dense).stableHLO()
        #expect(
            text == """
                module @program attributes {jax.uses_shape_polymorphism = true} {
                  func.func public @main(%arg0: tensor<?x4xf32>, %arg1: tensor<4x3xf32>, %arg2: tensor<3xf32>) -> (tensor<?x3xf32>) {
                    %0 = stablehlo.get_dimension_size %arg0, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
                    %1 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<?x4xf32>, tensor<4x3xf32>) -> tensor<?x3xf32>
                    %2 = stablehlo.constant dense<3> : tensor<i32>
                    %3 = stablehlo.reshape %0 : (tensor<i32>) -> tensor<1xi32>
                    %4 = stablehlo.reshape %2 : (tensor<i32>) -> tensor<1xi32>
                    %5 = stablehlo.concatenate %3, %4, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
                    %6 = stablehlo.dynamic_broadcast_in_dim %arg2, %5, dims = [1] : (tensor<3xf32>, tensor<2xi32>) -> tensor<?x3xf32>
                    %7 = stablehlo.add %1, %6 : tensor<?x3xf32>
                    %8 = stablehlo.constant dense<0.0> : tensor<f32>
                    %9 = stablehlo.dynamic_broadcast_in_dim %8, %5, dims = [] : (tensor<f32>, tensor<2xi32>) -> tensor<?x3xf32>
                    %10 = stablehlo.maximum %7, %9 : tensor<?x3xf32>
                    return %10 : tensor<?x3xf32>
                  }
                }

                """)
    }

    @Test func `A loop has its condition and its body as regions`() throws {
        let text = try makeProgram(
            { x in try whileLoop({ try less($0, 10) }, { try $0 + $0 }, initial: x) }, zeros([])
        ).stableHLO()
        #expect(
            text == """
                module @program {
                  func.func public @main(%arg0: tensor<f32>) -> (tensor<f32>) {
                    %0 = "stablehlo.while"(%arg0) ({
                    ^bb0(%1: tensor<f32>):
                      %2 = stablehlo.constant dense<10.0> : tensor<f32>
                      %3 = stablehlo.compare LT, %1, %2, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
                      stablehlo.return %3 : tensor<i1>
                    }, {
                    ^bb0(%4: tensor<f32>):
                      %5 = stablehlo.add %4, %4 : tensor<f32>
                      stablehlo.return %5 : tensor<f32>
                    }) : (tensor<f32>) -> tensor<f32>
                    return %0 : tensor<f32>
                  }
                }

                """)
    }

    @Test(
        "constants keep their bits: numbers in decimals, others and long lists in hexadecimals",
        arguments: [
            (try Tensor([1.5, -0.0, 3e-7] as [Float]), "[1.5, -0.0, 3.0e-07]"),
            (try Tensor([1, .infinity] as [Float]), "[1.0, 0x7F800000]"),
            (try Tensor([[1, 2], [3, 4]].flatMap { $0 } as [Int8], shape: [2, 2]), "[[1, 2], [3, 4]]"),
            (try Tensor(Array(repeating: Int32(7), count: 40)), "7"),
            (try Tensor([UInt64.max, 0]), "[18446744073709551615, 0]"),
            (try Tensor((0..<17).map { UInt8($0) }), "\"0x000102030405060708090A0B0C0D0E0F10\""),
            (try Tensor([true, false]), "[true, false]"),
            (try Tensor([0.1, 2]).astype(.bfloat16), "[0.100097656, 2.0]"),
            (try full([0, 2], 1), ""),
        ])
    func constants(value: Tensor, text: String) throws {
        #expect(try value.stableHLOElements() == text)
    }

    @Test func `What has no form is refused by its name and place`() throws {
        // A function with a derivative for reverse mode alone, in forward mode.
        let function = customVJP({ (x: Tensor) in x }, forward: { ($0, $0) }, backward: { $1 })
        let program = try ModulePath.$current.withValue("/Dense_0") {
            try makeProgram({ x in try jvp(function.callAsFunction, x, x).tangent }, zeros([3]))
        }
        #expect {
            try program.stableHLO()
        } throws: {
            "\($0)".hasPrefix(
                "customVJPTangent at /Dense_0: expected an operation that has a form in StableHLO")
        }
        #expect {
            try BatchPolymorphicProgram { batchSize in
                try makeProgram({ try cumsum($0, axis: 0) }, zeros([batchSize]))
            }.stableHLO()
        } throws: {
            "\($0)".hasPrefix("reduceWindow: expected a slider that does not depend on the batch size")
        }
        #expect {
            try BatchPolymorphicProgram { try makeProgram({ $0 }, zeros([3, $0])) }.stableHLO(name: "a b")
        } throws: {
            "\($0)".hasPrefix("stableHLO: expected a module name")
        }
    }

    @Test func `Names of inputs cannot break out of their comment`() throws {
        let text = try dense(2).stableHLO(inputNames: ["x\nmalicious"])
        #expect(text.contains("// %arg0: xmalicious\n"))
    }
}
