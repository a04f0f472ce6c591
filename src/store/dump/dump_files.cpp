#include "store/dump/dump_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dyad::dump {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMark = "unfinished";  // in a folder that may be removed
constexpr std::uint32_t kDocumentMin = 5, kDocumentMax = 48 << 20;

Error failed(const std::string& path, const char* what) {
    const Errc code =
        errno == ENOSPC || errno == EDQUOT ? Errc::storage_full : Errc::storage_unavailable;
    return fail(code, path + ": " + what + " failed: " + std::strerror(errno));
}

// Of a file or a folder.
Status sync_path(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool good = file >= 0 && ::fsync(file) == 0;
    const int kept = errno;
    if (file >= 0) ::close(file);
    errno = kept;
    if (!good) return failed(path, "syncing");
    return Done{};
}

// Where the files of the database are: the folder itself, or the only one in it that has any.
Result<fs::path> place_of(const std::string& folder) {
    std::vector<fs::path> found;
    std::error_code error;
    const auto look = [&](const fs::path& path) {
        for (const auto& entry : fs::directory_iterator(path, error)) {
            if (entry.path().extension() != ".bson") continue;
            found.push_back(path);
            return;
        }
    };
    look(folder);
    if (error) return fail(Errc::invalid_field, folder + ": " + error.message());
    for (const auto& entry : fs::directory_iterator(folder, error))
        if (entry.is_directory() && entry.path().filename() != "admin") look(entry.path());
    if (found.size() == 1) return found.front();
    return fail(Errc::invalid_field,
                folder + (found.empty() ? ": has no .bson files (those of mongodump --gzip are to "
                                          "be unpacked first); name a backup"
                                        : ": has several databases; name the folder of one"));
}

}  // namespace

Result<NewFolder> NewFolder::begin(const std::string& path, bool replace) {
    std::error_code error;
    fs::path place = fs::absolute(path).lexically_normal();
    if (place.filename().empty()) place = place.parent_path();
    if (!replace && fs::exists(fs::symlink_status(place, error)) &&
        !(fs::is_directory(place, error) && fs::is_empty(place, error)))
        return fail(Errc::invalid_field, path + ": is there and not empty; name a new folder");
    NewFolder folder(place.string(), place.string() + ".part");
    if (fs::exists(fs::symlink_status(folder.part_, error))) {
        if (!fs::exists(folder.part_ + "/" + kMark, error))
            return fail(Errc::invalid_field,
                        folder.part_ + ": is there, and needed; remove it, or name another folder");
        fs::remove_all(folder.part_, error);
    }
    fs::create_directories(folder.part_, error);
    if (error)
        return fail(Errc::storage_unavailable,
                    folder.part_ + ": cannot be made: " + error.message());
    fs::permissions(folder.part_, fs::perms::owner_all, error);
    if (!std::ofstream(folder.part_ + "/" + kMark)) return failed(folder.part_, "writing");
    return folder;
}

Status NewFolder::finish() {
    for (const auto& entry : fs::recursive_directory_iterator(part_))
        TRY(sync_path(entry.path().string()));
    ::unlink((part_ + "/" + kMark).c_str());
    TRY(sync_path(part_));
    const std::string old = path_ + ".replaced";
    std::error_code error;
    if (fs::exists(path_, error) && !fs::is_empty(path_, error)) {
        fs::remove_all(old, error);
        if (std::rename(path_.c_str(), old.c_str()) != 0) return failed(path_, "renaming");
    }
    if (std::rename(part_.c_str(), path_.c_str()) != 0) return failed(part_, "renaming");
    fs::remove_all(old, error);
    return sync_path(fs::path(path_).parent_path().string());
}

Result<std::unique_ptr<DumpWriter>> DumpWriter::begin(const std::string& folder,
                                                      const std::string& database) {
    ASSIGN_OR_RETURN(NewFolder made, NewFolder::begin(folder));
    std::unique_ptr<DumpWriter> writer(new DumpWriter(std::move(made)));
    writer->database_ = writer->folder_.part() + "/" + database;
    if (::mkdir(writer->database_.c_str(), 0700) != 0) return failed(writer->database_, "making");
    for (const std::string_view name : kCollections) {
        const std::string path = writer->database_ + "/" + std::string(name) + ".bson";
        File& file = writer->files_[std::string(name)];
        file.file.reset(std::fopen(path.c_str(), "wbxe"));
        if (!file.file) return failed(path, "making");
    }
    return writer;
}

Status DumpWriter::add(std::string_view collection, BsonView document) {
    File& to = files_[std::string(collection)];
    Bson named;
    if (!document.find("_id")) {  // every document has one, as a driver or the server makes it
        bson_oid_t id;
        bson_oid_init(&id, nullptr);
        bson_append_oid(named.get(), "_id", -1, &id);
        bson_concat(named.get(), document.get());
        document = named.view();
    }
    const bson_t* const bytes = document.get();
    if (std::fwrite(bson_get_data(bytes), 1, bytes->len, to.file.get()) != bytes->len)
        return failed(std::string(collection) + ".bson", "writing");
    to.count += 1;
    return Done{};
}

Status DumpWriter::describe(std::string_view collection, const Bson& indexes,
                            const std::string& uuid) {
    Bson about;
    about.sub("options", Bson())
        .array("indexes", indexes)
        .text("uuid", uuid)
        .text("collectionName", collection)
        .text("type", "collection");
    char* const text = bson_as_canonical_extended_json(about.get(), nullptr);
    const std::string path = database_ + "/" + std::string(collection) + ".metadata.json";
    std::ofstream out(path);
    out << text;
    bson_free(text);
    if (!out.flush()) return failed(path, "writing");
    return Done{};
}

Status DumpWriter::finish() {
    for (auto& [name, file] : files_)
        if (std::fflush(file.file.get()) != 0) return failed(name + ".bson", "writing");
    files_.clear();
    return folder_.finish();
}

Dump::~Dump() {
    for (const auto& [name, from] : collections_)
        ::close(from.file);
}

Result<std::unique_ptr<Dump>> Dump::open(const std::string& folder, const Progress& progress) {
    ASSIGN_OR_RETURN(const fs::path place, place_of(folder));
    std::unique_ptr<Dump> dump(new Dump);
    std::uint64_t of = 0, done = 0;
    for (const auto& entry : fs::directory_iterator(place)) {
        const std::string name = entry.path().stem().string();
        if (entry.path().extension() != ".bson" || name.starts_with("system.")) continue;
        Collection& from = dump->collections_[name];
        from.path = entry.path().string();
        from.file = ::open(from.path.c_str(), O_RDONLY | O_CLOEXEC);
        if (from.file < 0) return failed(from.path, "opening");
        of += entry.file_size();
        dump->names_.push_back(name);
    }
    std::sort(dump->names_.begin(), dump->names_.end());
    for (auto& [name, from] : dump->collections_)
        TRY(dump->index(name, from, done, [&] { progress(done, of); }));
    return dump;
}

std::size_t Dump::count(std::string_view collection) const {
    const auto at = collections_.find(collection);
    return at == collections_.end() ? 0 : at->second.count;
}

Status Dump::index(const std::string& name, Collection& from, std::uint64_t& done,
                   const std::function<void()>& told) {
    constexpr std::size_t kToldEach = 4096;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(from.path.c_str(), "rbe"),
                                                       std::fclose);
    if (!in) return failed(from.path, "opening");
    const std::string_view user_field = name == mongo::kHeads ? "_id" : "userId";
    std::vector<std::uint8_t> bytes;
    for (std::uint64_t at = 0;;) {
        std::uint32_t length = 0;
        const std::size_t got = std::fread(&length, 1, sizeof length, in.get());
        if (got == 0) break;
        bson_t document;
        bool good = got == sizeof length && length >= kDocumentMin && length <= kDocumentMax;
        if (good) {
            bytes.resize(length);
            std::memcpy(bytes.data(), &length, sizeof length);
            good = std::fread(bytes.data() + sizeof length, 1, length - sizeof length, in.get()) ==
                       length - sizeof length &&
                   bson_init_static(&document, bytes.data(), length) &&
                   bson_validate(&document, BSON_VALIDATE_NONE, nullptr);
        }
        if (!good)
            return fail(Errc::storage_damaged, from.path +
                                                   ": is no list of BSON documents from byte " +
                                                   std::to_string(at) + " on; take another backup");
        const BsonView view(&document);
        const auto user = view.text(user_field);
        const auto offset = view.number("offset");
        const bool log = view.flag("expired").value_or(false) || view.text("text");
        if (user && (name != mongo::kEvents || (offset && log))) {
            users_.emplace(*user);
            from.by_user[std::string(*user)].push_back({offset.value_or(0), at});
        } else {
            from.others.push_back({0, at});
        }
        if (name == mongo::kMeta && view.text("_id") == "store")
            seed_ = static_cast<std::uint64_t>(view.number("seed").value_or(0));
        at += length;
        done += length;
        if (++from.count % kToldEach == 0) told();
    }
    if (name == mongo::kEvents)
        for (auto& [user, places] : from.by_user)
            std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
                return a.order != b.order ? a.order < b.order : a.at < b.at;
            });
    return Done{};
}

Status Dump::read(const Collection& from, const std::vector<Place>& places,
                  const Take& take) const {
    std::vector<std::uint8_t> bytes;
    for (const Place& place : places) {
        std::uint32_t length = 0;
        const auto at = static_cast<off_t>(place.at);
        bson_t document;
        bool good = ::pread(from.file, &length, sizeof length, at) == sizeof length &&
                    length >= kDocumentMin && length <= kDocumentMax;
        if (good) {
            bytes.resize(length);
            good = ::pread(from.file, bytes.data(), length, at) == std::int64_t{length} &&
                   bson_init_static(&document, bytes.data(), length);
        }
        if (!good) return fail(Errc::storage_damaged, from.path + ": cannot be read again");
        TRY(take(BsonView(&document)));
    }
    return Done{};
}

Status Dump::each(std::string_view collection, const std::string& user, const Take& take) const {
    const auto from = collections_.find(collection);
    if (from == collections_.end()) return Done{};
    const auto at = from->second.by_user.find(user);
    return at == from->second.by_user.end() ? Status(Done{}) : read(from->second, at->second, take);
}

Status Dump::each_other(std::string_view collection, const Take& take) const {
    const auto from = collections_.find(collection);
    return from == collections_.end() ? Status(Done{})
                                      : read(from->second, from->second.others, take);
}

}  // namespace dyad::dump
