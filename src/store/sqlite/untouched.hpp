// A VFS that changes nothing: files are read from the one below, and what is written to them stays
// in memory for as long as this lives. So a check opens a folder as a start of the server would,
// with all that a start puts in order, and leaves every byte of it as it is.
#pragma once

#include "store/sqlite/vfs.hpp"

#include <map>
#include <memory>
#include <string>

namespace dyad::sqlite {

class UntouchedVfs final : public Vfs {
  public:
    // `below`: a VFS's name; empty: SQLite's own. Requires: there is one of that name.
    explicit UntouchedVfs(const std::string& below = {});

    int open(const char* name, int flags, int* granted, std::unique_ptr<VfsFile>& file) override;
    int remove(const char* name, int sync_folder) override;
    int access(const char* name, int flags, int& found) override;

  private:
    struct Layered;
    class OpenFile;
    // What a name stands for.
    int find(const char* name, int flags, std::shared_ptr<Layered>& file);

    std::map<std::string, std::shared_ptr<Layered>> files_;  // null: removed
};

}  // namespace dyad::sqlite
