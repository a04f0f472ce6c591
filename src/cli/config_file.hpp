// A client's configuration file: read, and written so that nobody ever sees half of it. A link is
// followed, the mode bits stay, and a copy of what was there before stays beside it.
//
// Errors, each with the file's name: unavailable where it cannot be read or written; conflict where
// another program has written it meanwhile; too_large (client_file_bytes_max).
#pragma once

#include "base/result.hpp"

#include <optional>
#include <string>

namespace dyad::cli {

class ConfigFile {
  public:
    static Result<ConfigFile> read(const std::string& path);

    const std::string& path() const noexcept { return path_; }
    // Nothing where there is no such file.
    const std::optional<std::string>& text() const noexcept { return text_; }
    // The copy; nothing where there is none.
    const std::optional<std::string>& backup() const noexcept { return backup_; }

    // Folders on the way are made.
    Status write(const std::string& text) const;
    Status write_backup() const;
    Status remove() const;
    void remove_backup() const;

  private:
    Status check_unchanged() const;
    std::string backup_path() const { return real_path_ + ".dyad-backup"; }

    std::string path_;       // as it was given
    std::string real_path_;  // behind links
    std::optional<std::string> text_;
    std::optional<std::string> backup_;
    unsigned mode_ = 0;  // 0: that of a new file
};

}  // namespace dyad::cli
