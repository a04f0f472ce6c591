// Files that editors and assistants write at any time, read and replaced so that nothing of theirs
// is lost: not while somebody has them open for writing (a read lease tells, where the file system
// has them), and never over something that was not read. Threads: any.
#pragma once

#include "base/limits.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace dyad::cli {

// What a file looks like from outside; a change of its content changes it, too.
struct FileStamp {
    std::uint64_t inode = 0, size = 0;
    std::int64_t modified_ns = 0, changed_ns = 0;

    bool operator==(const FileStamp&) const = default;
};
// Nothing where there is no file.
std::optional<FileStamp> stamp_of(const std::string& path);

// Nothing where there is none. Errors: unavailable while it is being written, too_large,
// invalid_field for what is no file or cannot be read.
Result<std::optional<std::string>> read_text_file(
    const std::string& path, std::int64_t bytes_max = limits::http_body_bytes_max);

// Writes the file anew, at once as a whole (rename) and on the disk; where it is a symbolic link,
// the file that it leads to. Its mode stays. `seen`: what was read there; nothing: there was none.
// Errors: version_conflict where it is something else by now, and unavailable while somebody has it
// open for writing: it is as it was then. Otherwise invalid_field: it cannot be written.
Status replace_text_file(const std::string& path, const std::optional<std::string>& seen,
                         const std::string& bytes);
// The same for taking it away.
Status remove_text_file(const std::string& path, const std::string& seen);

}  // namespace dyad::cli
