// The shared memory of `dyad-memory bridge`: one context for each file, on the running server.
// Internal to it.
#pragma once

#include "cli/bridge/sync.hpp"
#include "cli/rest_client.hpp"

#include <string>
#include <vector>

namespace dyad::cli {

// `{"text": …}` under the file's key, of type `project` with the tag `bridge`, without an end.
// Other members that somebody gave it stay. Lifetime: the client's.
class ContextMemory final : public SharedMemory {
  public:
    explicit ContextMemory(RestClient& client) : client_(client) {}

    Result<std::optional<SharedText>> read(const std::string& key) override;
    Status write(const std::string& key, const std::string& text, std::int64_t version,
                 const std::string& operation) override;
    Status remove(const std::string& key, std::int64_t version) override;

  private:
    RestClient& client_;
};

// What the memory has of a project.
struct SharedFiles {
    std::vector<std::string> keys;
    std::string log;  // the epoch of the log it is in
};
Result<SharedFiles> shared_files(RestClient& client, const std::string& prefix);

}  // namespace dyad::cli
