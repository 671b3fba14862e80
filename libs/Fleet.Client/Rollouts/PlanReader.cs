using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using YamlDotNet.RepresentationModel;

namespace Fleet.Client.Rollouts;

/// <summary>Fills a message from YAML by its descriptor, so that the proto stays the one place where fields are listed.</summary>
internal static class PlanReader
{
    public static void Fill(IMessage message, YamlNode node)
    {
        if (IsEmpty(node))
        {
            return; // "guards:" without anything below
        }

        var fields = message.Descriptor.Fields.InDeclarationOrder().ToDictionary(field => field.Name);
        foreach (var (key, value) in Entries(node, $"the fields {string.Join(", ", fields.Keys)}"))
        {
            string name = PlanScalars.Text(key);
            var field = fields.GetValueOrDefault(name) ?? throw new PlanFormatException(key.Start, NearestName.Unknown("key", name, fields.Keys));
            Set(message, field, value);
        }
    }

    private static void Set(IMessage message, FieldDescriptor field, YamlNode value)
    {
        if (field.IsMap)
        {
            var map = (IDictionary)field.Accessor.GetValue(message);
            var valueField = field.MessageType.FindFieldByNumber(2);
            foreach (var (key, entry) in Entries(value, "names with values"))
            {
                map[PlanScalars.Text(key)] = PlanScalars.Value(valueField, entry);
            }
        }
        else if (field.IsRepeated)
        {
            var list = (IList)field.Accessor.GetValue(message);
            foreach (var item in Items(value, field.Name))
            {
                _ = list.Add(Value(field, item));
            }
        }
        else
        {
            field.Accessor.SetValue(message, Value(field, value));
        }
    }

    private static object Value(FieldDescriptor field, YamlNode node)
    {
        if (field.FieldType != FieldType.Message || field.MessageType == Duration.Descriptor)
        {
            return PlanScalars.Value(field, node);
        }

        var message = field.MessageType.Parser.ParseFrom(ByteString.Empty);
        Fill(message, node);
        return message;
    }

    private static IEnumerable<KeyValuePair<YamlNode, YamlNode>> Entries(YamlNode node, string wanted) =>
        node as YamlMappingNode ?? throw new PlanFormatException(node.Start, $"give {wanted}, each as 'key: value'");

    private static IEnumerable<YamlNode> Items(YamlNode node, string name) =>
        node as YamlSequenceNode ?? throw new PlanFormatException(node.Start, $"{name} is a list: give each item on a line that begins with '- '");

    private static bool IsEmpty(YamlNode node) => node is YamlScalarNode { Value: null or "" };
}
