// A backup as files, in the layout of MongoDB's own tools:
//
//     FOLDER/DATABASE/<collection>.bson            the documents, one behind the other
//     FOLDER/DATABASE/<collection>.metadata.json   its indexes, as extended JSON
//
// What is written stands in FOLDER.part until it is whole and on the disk.
// Errors: storage_unavailable, storage_full, invalid_field (of the places), storage_damaged.
// Threads: one owner; blocking.
#pragma once

#include "base/result.hpp"
#include "store/mongo/client.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::dump {

using mongo::Bson;
using mongo::BsonView;

// Decision 17's, in the order in which a backup reads them: the log last, so that nothing that is
// derived from it is ahead of it.
inline constexpr std::array<std::string_view, 8> kCollections = {
    mongo::kMeta,        mongo::kHeads,    mongo::kState,     mongo::kModes,
    mongo::kTransitions, mongo::kContexts, mongo::kResponses, mongo::kEvents};

using Progress = std::function<void(std::size_t done, std::size_t of)>;

// A folder that is there only once it is whole.
class NewFolder {
  public:
    // `path` must not be there, or be empty, unless it is to be replaced. Removes what an attempt
    // that was broken off left in its place, and nothing else.
    static Result<NewFolder> begin(const std::string& path, bool replace = false);
    const std::string& part() const noexcept { return part_; }
    // Puts it in its place; everything in it is on the disk then.
    Status finish();

  private:
    NewFolder(std::string path, std::string part)
        : path_(std::move(path)), part_(std::move(part)) {}
    std::string path_, part_;
};

class DumpWriter {
  public:
    static Result<std::unique_ptr<DumpWriter>> begin(const std::string& folder,
                                                     const std::string& database);

    Status add(std::string_view collection, BsonView document);
    // What else is said of a collection: `indexes`, a list as listIndexes shows it.
    Status describe(std::string_view collection, const Bson& indexes, const std::string& uuid);
    std::size_t count(std::string_view collection) { return files_[std::string(collection)].count; }
    Status finish();

  private:
    struct CloseFile {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    struct File {
        std::unique_ptr<std::FILE, CloseFile> file;
        std::size_t count = 0;
    };
    explicit DumpWriter(NewFolder folder) : folder_(std::move(folder)) {}

    NewFolder folder_;
    std::string database_;
    std::map<std::string, File> files_;
};

// A folder that was written so, here or by others. It may have no more than the five collections
// that existing instances know.
class Dump {
  public:
    // Reads all of it once, for where each user's documents are: 16 bytes of memory each.
    static Result<std::unique_ptr<Dump>> open(const std::string& folder, const Progress& progress);
    ~Dump();

    const std::set<std::string>& users() const noexcept { return users_; }
    const std::vector<std::string>& collections() const noexcept { return names_; }
    std::uint64_t seed() const noexcept { return seed_; }  // of epochs; 0: it has none
    std::size_t count(std::string_view collection) const;

    using Take = std::function<Status(BsonView)>;
    // The user's documents: of sync_events those of the log, by their offset, the expired ones,
    // which have a negative one, first.
    Status each(std::string_view collection, const std::string& user, const Take& take) const;
    // All of a collection that each() has not: of no user, or no part of a log.
    Status each_other(std::string_view collection, const Take& take) const;

  private:
    struct Place {
        std::int64_t order;
        std::uint64_t at;
    };
    struct Collection {
        std::string path;
        int file = -1;
        std::map<std::string, std::vector<Place>, std::less<>> by_user;
        std::vector<Place> others;
        std::size_t count = 0;
    };
    Dump() = default;
    Status index(const std::string& name, Collection& from, std::uint64_t& done,
                 const std::function<void()>& told);
    Status read(const Collection& from, const std::vector<Place>& places, const Take& take) const;

    std::map<std::string, Collection, std::less<>> collections_;
    std::vector<std::string> names_;
    std::set<std::string> users_;
    std::uint64_t seed_ = 0;
};

}  // namespace dyad::dump
