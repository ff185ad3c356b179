// Downsampling for charts: bounded, in order, and without losing a spike.
import Store
import Testing

@testable import API

@Suite struct DownsamplingTests {
    private func points(_ values: [Double]) -> [MetricPoint] {
        values.enumerated().map {
            MetricPoint(name: "m", finished: Int64($0) + 1, step: Int64($0), value: $1)
        }
    }

    @Test("Few points stay as they are")
    func few() {
        let few = points([1, 2, 3])
        #expect(Downsampling.minMax(few, maxPoints: 3) == few)
        #expect(Downsampling.minMax([], maxPoints: 10).isEmpty)
    }

    @Test(
        "One spike among many points is kept, and the count is bounded",
        arguments: [2, 3, 4, 5, 10, 999, 1000, 9_999])
    func spike(maxPoints: Int) {
        var values = [Double](repeating: 0, count: 10_000)
        values[7_321] = 1e9
        values[123] = -1e9
        let kept = Downsampling.minMax(points(values), maxPoints: maxPoints)
        #expect(kept.count <= maxPoints)
        #expect(kept.map(\.step) == kept.map(\.step).sorted())
        #expect(kept.first?.step == 0 && kept.last?.step == 9_999)
        if maxPoints >= 4 {
            #expect(kept.contains { $0.value == 1e9 } && kept.contains { $0.value == -1e9 })
        }
    }

    @Test("NaN neither hides an extreme nor vanishes where there is nothing else")
    func notANumber() {
        var values = [Double](repeating: .nan, count: 1000)
        values[500] = 3
        let kept = Downsampling.minMax(points(values), maxPoints: 20)
        #expect(kept.contains { $0.value == 3 })
        #expect(kept.contains { $0.value.isNaN })
    }

    @Test("CSV and NDJSON write what JSON cannot as words")
    func formats() {
        let page = SeriesPage(name: "a,b", points: points([.nan, -.infinity, 0.1]), sourcePoints: 3)
        #expect(
            String(decoding: SeriesFormat.csv.render([page], job: "j"), as: UTF8.self)
                == "name,step,value\r\n\"a,b\",0,NaN\r\n\"a,b\",1,-Infinity\r\n\"a,b\",2,0.1\r\n")
        let lines = String(decoding: SeriesFormat.ndjson.render([page], job: "j"), as: UTF8.self).split(
            separator: "\n")
        #expect(lines.first == "{\"name\":\"a,b\",\"step\":0,\"value\":\"NaN\"}")
    }
}
