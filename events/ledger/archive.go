package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// ErrLimit is matched by the error of something that is larger than this package reads.
var ErrLimit = errors.New("larger than is read")

// The files of a bundle stand in a zip without compression, in this order, and with nothing else that could differ: no
// times, no attributes, no comments. So each bundle has one way to be written, can't grow when it is unpacked, and
// names no place outside itself. Every zip program reads it.
const (
	zipLocal, zipCentral, zipEnd = 0x04034b50, 0x02014b50, 0x06054b50

	zipLocalSize   = 30
	zipCentralSize = 46
	zipEndSize     = 22
	zipVersion     = 10     // stored files
	zipDate        = 0x0021 // 1980-01-01, the first that the format knows

	maxArchive = 512 << 20
)

// file is a file in the archive.
type file struct {
	name string
	data []byte
}

// appendArchive writes the files, one after the other.
func appendArchive(b []byte, files []file) []byte {
	le := binary.LittleEndian
	start := len(b)
	var central []byte
	for _, f := range files {
		offset := len(b) - start
		common := le.AppendUint16(nil, zipVersion)
		common = le.AppendUint16(common, 0) // flags
		common = le.AppendUint16(common, 0) // stored
		common = le.AppendUint16(common, 0) // time
		common = le.AppendUint16(common, zipDate)
		common = le.AppendUint32(common, crc32.ChecksumIEEE(f.data))
		common = le.AppendUint32(common, uint32(len(f.data)))
		common = le.AppendUint32(common, uint32(len(f.data)))
		common = le.AppendUint16(common, uint16(len(f.name)))
		common = le.AppendUint16(common, 0) // extra fields

		b = le.AppendUint32(b, zipLocal)
		b = append(b, common...)
		b = append(b, f.name...)
		b = append(b, f.data...)

		central = le.AppendUint32(central, zipCentral)
		central = le.AppendUint16(central, zipVersion)
		central = append(central, common...)
		central = append(central, make([]byte, 10)...) // comment, disk, attributes
		central = le.AppendUint32(central, uint32(offset))
		central = append(central, f.name...)
	}
	offset := len(b) - start
	b = append(b, central...)
	b = le.AppendUint32(b, zipEnd)
	b = le.AppendUint32(b, 0) // disks
	b = le.AppendUint16(b, uint16(len(files)))
	b = le.AppendUint16(b, uint16(len(files)))
	b = le.AppendUint32(b, uint32(len(central)))
	b = le.AppendUint32(b, uint32(offset))
	return le.AppendUint16(b, 0) // comment
}

// readArchive finds the files of these names, in this order, in what appendArchive wrote. It fails with ErrFormat or
// ErrLimit when it can't. exact is false when they are all there, but another byte is not as it was written, such as a
// checksum: then something was altered.
func readArchive(b []byte, names []string) (files []file, exact bool, _ error) {
	if len(b) > maxArchive {
		return nil, false, fmt.Errorf("%w: a bundle of more than %d bytes", ErrLimit, maxArchive)
	}
	le := binary.LittleEndian
	wrong := func(name, what string) ([]file, bool, error) {
		return nil, false, fmt.Errorf("%w: the archive, where its file %s should be, %s", ErrFormat, name, what)
	}
	rest := b
	for _, name := range names {
		if len(rest) < zipLocalSize || le.Uint32(rest) != zipLocal {
			return wrong(name, "holds none")
		}
		method, size, nameSize, extraSize := le.Uint16(rest[8:]), uint64(le.Uint32(rest[22:])), int(le.Uint16(rest[26:])), le.Uint16(rest[28:])
		packed := uint64(le.Uint32(rest[18:]))
		rest = rest[zipLocalSize:]
		switch {
		case nameSize > len(rest) || string(rest[:nameSize]) != name:
			return wrong(name, "holds another")
		case size == math.MaxUint32 || size > maxArchive:
			return nil, false, fmt.Errorf("%w: the file %s of %d bytes", ErrLimit, name, size)
		case method != 0 || packed != size || extraSize != 0:
			return wrong(name, "is compressed or has more than a name and its data")
		}
		rest = rest[nameSize:]
		if size > uint64(len(rest)) {
			return wrong(name, "ends too early")
		}
		files = append(files, file{name: name, data: rest[:size:size]})
		rest = rest[size:]
	}
	return files, bytes.Equal(appendArchive(make([]byte, 0, len(b)), files), b), nil
}
