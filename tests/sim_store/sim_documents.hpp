// The documents that existing instances read and write beside the logs of the simulated database.
#pragma once

#include "store/documents.hpp"

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace dyad::sim {

class SimDocuments {
  public:
    // What they are written without, for variants that must be caught.
    struct Flaws {
        bool overwrites_foreign = false;       // whatever stands there
        bool hides_foreign = false;            // nobody is told of what stands there
        bool hides_versions = false;           // ... nor of its version
        bool takes_each_look_for_new = false;  // its fingerprint is another one each time
        bool goes_back = false;                // what was written before is written again
        bool hides_transitions = false;        // nobody is told of a change of mode
        bool renames_transitions = false;      // each look has another name for it
    };
    struct Document {
        ContextPtr context;
        Offset offset = 0;         // of the event that was projected there last
        bool verifies = true;      // it is as that event made it
        std::uint64_t writes = 0;  // foreign ones
    };
    // Told of every document that is written over, before it is.
    std::function<void(const std::string& user_id, const Document&)> overwritten;
    Flaws flaws;

    // An existing instance writes `context`, whatever stands there.
    void write(const std::string& user_id, const ContextPtr& context);
    // An existing instance writes down a change of its mode.
    void write(const std::string& user_id, const ModeState& state);
    void adopted(const std::string& user_id, const std::string& transition_id);
    std::vector<ForeignDocument> project(const ProjectRequest& request);
    DocumentsLook look(const std::string& user_id);
    // Null: there is none.
    const Document* find(const std::string& user_id, const std::string& key) const;
    std::vector<std::string> keys(const std::string& user_id) const;

  private:
    ForeignDocument foreign(const std::string& user_id, const Document& document);

    std::map<std::pair<std::string, std::string>, Document> documents_;  // by user and key
    std::map<std::string, Offset> projected_;
    std::map<std::string, std::vector<ForeignTransition>> transitions_;  // not adopted yet
    std::uint64_t transitions_written_ = 0;
    std::map<std::string, std::vector<ProjectRequest::Entry>> before_;  // for goes_back
    std::uint64_t looks_ = 0;
};

}  // namespace dyad::sim
