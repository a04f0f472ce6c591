// A disk in memory that forgets what was not synced, behind SQLite's VFS interface.
//
// What it may do when the power goes, to each file: any 512-byte sector keeps what was synced last
// or gets any version written since; a size that was not synced is undone or kept; names made and
// removed since the folder was synced are undone from some point on. A failed sync leaves the
// sectors as the kernel does: shown to readers, and never written by themselves again.
//
// Threads: one owner. Lifetime: the disk outlives the VFS and every file open on it.
#pragma once

#include "support/sample_log.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3_vfs;

namespace dyad::test {

class FaultDisk {
  public:
    static constexpr std::size_t kSectorBytes = 512;

    struct Inode {
        std::string shown;    // what readers see
        std::string durable;  // what survives
        // The versions of each sector since the last sync.
        std::map<std::size_t, std::vector<std::string>> pending;
    };

    // Broken on purpose: what a test must be able to notice.
    enum class Flaw : std::uint8_t {
        none,
        journal_sync_lost,   // syncs of the journal do nothing
        rollback_sync_lost,  // syncs of SQLite's rollback journal do nothing
        database_sync_lost,  // syncs of the database do nothing
        creation_sync_lost,  // the first sync of a journal file does nothing
        rewrite_skipped,     // writing what is shown already does nothing
        folder_sync_lost,    // names never become durable
    };

    // What a restart finds after the power went now.
    std::unique_ptr<FaultDisk> cut(SeededRandom& random) const;

    // Called before each change: write, sync, truncate, delete, create.
    std::function<void()> before_change;
    Flaw flaw = Flaw::none;
    std::size_t capacity_bytes = SIZE_MAX;  // of all files
    bool dead = false;                      // nothing can be changed any more
    // Counts down with each sync; the one that reaches zero fails.
    std::int64_t syncs_until_failure = INT64_MAX;

    // Damages a file as a failing disk does, synced or not.
    void corrupt(const std::string& name, std::size_t at, std::string_view bytes);
    std::size_t size(const std::string& name) const;
    // All files as readers see them; and back to such a state.
    using Files = std::map<std::string, std::string>;
    Files files() const;
    void put(const Files& files);
    std::uint64_t syncs() const noexcept { return syncs_; }
    std::uint64_t writes() const noexcept { return writes_; }

    // For the VFS:
    std::shared_ptr<Inode> find(const std::string& name) const;
    std::shared_ptr<Inode> create(const std::string& name);
    void remove(const std::string& name);
    int write(Inode& inode, std::size_t at, std::string_view bytes);
    int truncate(Inode& inode, std::size_t bytes);
    enum class Kind : std::uint8_t { database, rollback_journal, journal };
    // `is_first`: it also makes names durable.
    int sync(Inode& inode, Kind kind, bool is_first);

  private:
    struct NameChange {
        std::string name;
        std::shared_ptr<Inode> inode;  // null: removed
    };
    std::size_t used_bytes() const;
    void note(Inode& inode, std::size_t from, std::size_t to);

    std::map<std::string, std::shared_ptr<Inode>> names_;
    std::map<std::string, std::shared_ptr<Inode>> durable_names_;
    std::vector<NameChange> name_changes_;
    SeededRandom faults_{7};
    std::uint64_t syncs_ = 0;
    std::uint64_t writes_ = 0;
};

// Makes a disk known to SQLite under a name, for as long as it lives.
class FaultVfs {
  public:
    FaultVfs(std::string name, FaultDisk& disk);
    ~FaultVfs();
    FaultVfs(const FaultVfs&) = delete;
    FaultVfs& operator=(const FaultVfs&) = delete;

    const std::string& name() const noexcept { return name_; }

  private:
    std::string name_;
    std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace dyad::test
