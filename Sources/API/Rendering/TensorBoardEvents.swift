// TensorBoard's event files: records of TFRecord (length and contents, each with a masked CRC-32C) that hold an `Event` each.
// https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details, tensorflow/core/util/event.proto, summary.proto.
import Hashing
import Protobuf
import Store

enum TensorBoardEvents {
    /// The first record of every event file.
    static func header(seconds: Double) -> [UInt8] {
        record { event in
            event.double(EventField.wallTime, seconds)
            event.string(EventField.fileVersion, "brain.Event:2")
        }
    }

    /// A point of a metric as a scalar summary; TensorBoard has 32-bit floats.
    static func scalar(_ point: MetricPoint, seconds: Double) -> [UInt8] {
        record { event in
            event.double(EventField.wallTime, seconds)
            event.integer(EventField.step, Int(point.step))
            event.message(EventField.summary) { summary in
                summary.message(1) { value in
                    value.string(1, point.name)
                    value.float(2, Float(point.value))
                }
            }
        }
    }

    /// The name that TensorBoard looks for, with when the run began.
    static func fileName(job: String, createdAt: Timestamp) -> String {
        "events.out.tfevents.\(createdAt.milliseconds / 1000).\(job)"
    }

    private enum EventField {
        static let wallTime = 1
        static let step = 2
        static let fileVersion = 3
        static let summary = 5
    }

    private static func record(_ build: (inout ProtobufWriter) -> Void) -> [UInt8] {
        var event = ProtobufWriter()
        build(&event)
        var bytes = littleEndian(UInt64(event.bytes.count))
        bytes += littleEndian(CRC32C.hash(bytes).masked)
        bytes += event.bytes
        return bytes + littleEndian(CRC32C.hash(event.bytes).masked)
    }

    private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
