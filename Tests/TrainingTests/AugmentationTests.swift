// Random crops and flips: shifts and mirrors of the images, the same for the same key.
import JobSpec
import TensorEngine
import Testing

@testable import Training

@Suite struct AugmentationTests {
    private func augmentation(_ json: JSONValue) throws -> Augmentation {
        try Augmentation([SpecDecoding.entry(json, .transform).get()])
    }

    @Test("a flip mirrors some of the images, and leaves the others as they are")
    func flips() throws {
        let x = try reshape(arange(8 * 2 * 3, dtype: .float32), [8, 2, 3, 1])
        let flipped = try augmentation("random_flip")(x, PRNGKey(seed: 4))
        var mirrored = 0
        for row in 0..<8 {
            let (a, b) = (try slice(x, axis: 0, row..<row + 1), try slice(flipped, axis: 0, row..<row + 1))
            let isSame = try all(equal(a, b)).item() == 1
            let isMirrored = try all(equal(flip(a, axes: [2]), b)).item() == 1
            #expect(isSame != isMirrored)
            mirrored += isMirrored ? 1 : 0
        }
        #expect((1...7).contains(mirrored))
    }

    @Test("a crop shifts each image by at most the padding, with zeros behind it")
    func crops() throws {
        let x = try reshape(arange(6 * 4 * 4, dtype: .float32) + 1, [6, 4, 4, 1])
        let crop = try augmentation(["type": "random_crop", "padding": 1])
        let (a, b) = (try crop(x, PRNGKey(seed: 1)), try crop(x, PRNGKey(seed: 1)))
        #expect(try all(equal(a, b)).item() == 1)
        let wide = try pad(x, low: [0, 1, 1, 0], high: [0, 1, 1, 0])
        var shifts: Set<[Int]> = []
        for row in 0..<6 {
            let image = try slice(a, axis: 0, row..<row + 1)
            var found = false
            for top in 0...2 {
                for left in 0...2 {
                    let candidate = try slice(
                        wide, starts: [row, top, left, 0], limits: [row + 1, top + 4, left + 4, 1])
                    if try all(equal(candidate, image)).item() == 1 {
                        found = true
                        shifts.insert([top, left])
                    }
                }
            }
            #expect(found, "image \(row)")
        }
        #expect(shifts.count > 1)
    }

    @Test("inputs that are no images are an error at the transform")
    func noImages() throws {
        #expect(throws: SpecErrors.self) { try augmentation("random_flip")(ones([2, 3]), PRNGKey(seed: 0)) }
    }
}
