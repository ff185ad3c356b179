// swift-tools-version: 6.2
// The targets and who may import whom; README.md draws the same picture. Imports point down the list only.
import PackageDescription

/// Every Swift target: warnings are errors, so that a clean build is a quiet build.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

/// Kernels are compiled alike in debug and release, and never with -ffast-math: their bits are part of the contract.
let kernelFlags: [CSetting] = [
    .unsafeFlags(["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing", "-Wall", "-Werror"])
]

let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let orderedCollections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "spindle",
    products: [
        .executable(name: "spindle", targets: ["spindle"]),
        .library(name: "TensorEngine", targets: ["TensorEngine"]),
        .library(name: "Linen", targets: ["Linen"]),
        .library(name: "Optax", targets: ["Optax"]),
        .library(name: "Serialization", targets: ["Serialization"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    ],
    targets: [
        // C, where Swift cannot reach.
        .target(name: "CKernels", cSettings: kernelFlags, linkerSettings: [.linkedLibrary("m")]),
        .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "CLinux"),
        .target(name: "CCurl"),

        // The engine and what is written on it.
        library("Hashing", ["CCrypto"]),
        library("FileFormats"),
        library("Protobuf"),
        library("TensorEngine", ["CKernels", "COpenBLAS"]),
        library("Linen", ["TensorEngine", "Hashing"]),
        library("Optax", ["TensorEngine"]),
        library("Serialization", ["TensorEngine", "Hashing", "FileFormats", "Protobuf", "CLinux"]),
        library("JobSpec", [orderedCollections]),
        library("Datasets", ["JobSpec", "Hashing", "FileFormats", orderedCollections]),
        library(
            "Training",
            ["TensorEngine", "Linen", "Optax", "Serialization", "JobSpec", "Datasets", "CLinux", "Hashing"]),

        // The server. None of these imports the engine: see ARCHITECTURE in README.md.
        library("Store", ["JobSpec", "Hashing", grdb]),
        library("Scheduler", ["Store", "JobSpec", "Hashing", "CLinux", logging]),
        library("HTTPServer", ["CLinux", logging]),
        library(
            "API",
            ["HTTPServer", "Scheduler", "Store", "JobSpec", "Datasets", "Hashing", "Protobuf", logging]),
        .executableTarget(
            name: "spindle",
            dependencies: [
                "API", "HTTPServer", "Scheduler", "Store", "Training", "Datasets", "JobSpec", "Serialization",
                "Optax",
                "Linen", "TensorEngine", "Hashing", "CLinux", "CCurl", arguments, logging,
            ],
            swiftSettings: strict),

        // Tests: one target per target, then the ones that go across.
        tests("TensorEngineTests", ["TensorEngine", "CKernels", "TestSupport"]),
        tests("LinenTests", ["Linen", "TestSupport"]),
        tests("OptaxTests", ["Optax", "TestSupport"]),
        tests("SerializationTests", ["Serialization", "TestSupport"]),
        tests("JobSpecTests", ["JobSpec", "TestSupport"]),
        tests("DatasetsTests", ["Datasets", "TestSupport"]),
        tests("TrainingTests", ["Training", "TestSupport"]),
        tests("StoreTests", ["Store", "TestSupport"]),
        tests("SchedulerTests", ["Scheduler", "TestSupport"]),
        tests("HTTPServerTests", ["HTTPServer", "TestSupport"]),
        tests("APITests", ["API", "TestSupport"]),
        tests("ParityTests", ["TensorEngine", "Linen", "Optax", "Serialization", "JobSpec", "TestSupport"]),
        tests("EndToEndTests", ["JobSpec", "TestSupport"]),
        tests("StyleTests", ["TestSupport"]),
        .target(
            name: "TestSupport", dependencies: ["JobSpec"], path: "Tests/TestSupport", swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
