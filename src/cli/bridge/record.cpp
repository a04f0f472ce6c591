#include "cli/bridge/record.hpp"

#include "base/sha256.hpp"
#include "cli/bridge/text_file.hpp"
#include "model/json.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr std::int64_t kBytesMax = 16 * limits::document_bytes_max;  // a few texts of that size

const json::Value* member(const boost::json::object& object, const char* name) {
    const auto at = object.find(name);
    return at == object.end() ? nullptr : &at->value();
}

std::optional<std::string> text(const boost::json::object& object, const char* name) {
    const json::Value* const value = member(object, name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->get_string());
}

const boost::json::object* object_in(const boost::json::object& object, const char* name) {
    const json::Value* const value = member(object, name);
    return value == nullptr ? nullptr : value->if_object();
}

}  // namespace

Result<Records> Records::open(const std::string& folder, bool alone) {
    if (!alone) return Records(folder);
    std::error_code code;
    std::filesystem::create_directories(folder, code);
    if (code)
        return fail(Errc::invalid_field, "the folder " + folder + " of what the bridge remembers " +
                                             "cannot be made: " + code.message());
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, code);
    Records out(folder);
    const std::string path = folder + "/lock";
    out.lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (out.lock_ < 0 || flock(out.lock_, LOCK_EX | LOCK_NB) != 0)
        return fail(Errc::unavailable, "another bridge is at work on this folder (" + path + ": " +
                                           std::strerror(errno) + "); end it first");
    return out;
}

Records::Records(Records&& other) noexcept
    : folder_(std::move(other.folder_)), lock_(std::exchange(other.lock_, -1)) {}

Records::~Records() {
    if (lock_ >= 0) ::close(lock_);
}

std::string Records::path_of(const std::string& key) const {
    const Hash hash = sha256({key});
    return folder_ + "/" + to_hex(std::span(hash).first(16)) + ".json";
}

Result<Record> Records::load(const std::string& key) const {
    Record out;
    const std::string path = path_of(key);
    const Result<std::optional<std::string>> bytes = read_text_file(path, kBytesMax);
    if (bytes && !*bytes) return out;
    const Result<json::Value> value = bytes ? json::parse(**bytes) : bytes.error();
    const boost::json::object* const object = value ? value->if_object() : nullptr;
    if (object == nullptr || text(*object, "key") != key)
        return fail(Errc::invalid_json, "what the bridge remembers of it, " + path +
                                            ", is damaged; delete that, and both sides are "
                                            "compared anew");
    out.base = text(*object, "base");
    out.log = text(*object, "log").value_or("");
    if (const auto* const pending = object_in(*object, "pending")) {
        const json::Value* const version = member(*pending, "version");
        out.pending = {text(*pending, "text").value_or(""),
                       version != nullptr && version->is_int64() ? version->get_int64() : 0,
                       text(*pending, "base").value_or(""),
                       text(*pending, "operation").value_or("")};
    }
    if (const auto* const conflict = object_in(*object, "conflict"))
        out.conflict = {text(*conflict, "mine").value_or(""),
                        text(*conflict, "theirs").value_or(""),
                        text(*conflict, "file").value_or("")};
    return out;
}

Status Records::save(const std::string& key, const Record& record) const {
    boost::json::object object{{"key", key}, {"log", record.log}};
    if (record.base) object["base"] = *record.base;
    if (record.pending)
        object["pending"] = boost::json::object{{"text", record.pending->text},
                                                {"version", record.pending->version},
                                                {"base", record.pending->base},
                                                {"operation", record.pending->operation}};
    if (record.conflict)
        object["conflict"] = boost::json::object{{"mine", record.conflict->mine},
                                                 {"theirs", record.conflict->theirs},
                                                 {"file", record.conflict->file}};
    const std::string path = path_of(key);
    ASSIGN_OR_RETURN(const std::optional<std::string> before, read_text_file(path, kBytesMax));
    return replace_text_file(path, before, json::canonical(std::move(object)));
}

Status Records::forget(const std::string& key) const {
    if (::unlink(path_of(key).c_str()) == 0 || errno == ENOENT) return Done{};
    return fail(Errc::invalid_field, path_of(key) + " cannot be removed: " + std::strerror(errno));
}

}  // namespace dyad::cli
