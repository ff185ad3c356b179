// Lets results take the place of inputs that are given away: the state of a training step is updated in place.

/// Which output is written into which input's buffer.
struct Donation {
    /// By output: the input whose memory it takes, nil where it needs its own.
    let inputOfOutput: [Int?]

    /// - Parameter carry: by output, the input that it replaces after the run, nil for none.
    ///
    /// An output takes the input's memory where that is safe: no step reads the input after the output is first written,
    /// and the step that writes it reads the input element by element.
    init(
        steps: [PlannedStep], inputBuffers: [Int], outputBuffers: [Int], carry: [Int?]
    ) {
        let bufferCount = ((inputBuffers + outputBuffers).max() ?? -1) + 1
        var lastRead = [Int](repeating: -1, count: bufferCount)
        var firstWrite = [Int](repeating: Int.max, count: bufferCount)
        for (position, step) in steps.enumerated() {
            for buffer in step.reads where buffer < bufferCount { lastRead[buffer] = position }
            for buffer in step.writes where buffer < bufferCount {
                firstWrite[buffer] = min(firstWrite[buffer], position)
            }
        }
        inputOfOutput = carry.enumerated().map { output, input in
            guard let input else { return nil }
            let (source, target) = (inputBuffers[input], outputBuffers[output])
            let (read, write) = (lastRead[source], firstWrite[target])
            if read < write { return input }
            guard read == write, write < steps.count else { return nil }
            return steps[write].replaceable.contains(source) ? input : nil
        }
    }
}
